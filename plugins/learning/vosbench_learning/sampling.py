"""Images drawn from a corpus, as training sees them."""

from __future__ import annotations

import numpy as np

from vosbench_learning.corpus import Corpus
from vosbench_learning.views import View, ViewSettings, paste, random_view


class ImageSampler:
    """Images with instances by number; the same number gives the same image."""

    def __init__(self, corpus: Corpus, view: ViewSettings, *, photos: float, paste: float) -> None:
        """`photos`: share of photos among the images. `paste`: probability that an instance of
        another image is put on top."""
        self._corpus = corpus
        self._view = view
        self._photo_share = photos
        self._paste = paste
        self._photos = corpus.photos()
        self._videos = list(corpus.sequences().values())

    def view(self, random: np.random.Generator) -> View:
        """One training image; photos and videos (each equally often) in their shares."""
        view = self._single(random)
        if random.random() < self._paste:
            view = paste(view, self._single(random), random)
        return view

    def _single(self, random: np.random.Generator) -> View:
        use_photo = random.random() < self._photo_share
        if self._photos and (use_photo or not self._videos):
            index = int(random.choice(self._photos))
        else:
            index = int(random.choice(self._videos[random.integers(len(self._videos))]))
        return random_view(*self._corpus[index], self._view, random)
