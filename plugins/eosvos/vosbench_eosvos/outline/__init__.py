"""Where the mask ends: a small network that draws an object's outline anew, at image resolution.

    network.py      the network, and its weights on disk
    sight.py        what it sees of a frame: a crop around the object, at the object's own scale
    draw.py         from the mask head's probabilities to those with the new outline

It is trained on what the tracker made of videos that its weights never saw
(`vosbench_eosvos.training.outline`), so it knows the mask head's own mistakes.
"""
