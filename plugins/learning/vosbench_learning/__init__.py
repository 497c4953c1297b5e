"""What plugins that learn share: backbones, training data, views, checkpoints, progress.

    backbone        stages of a network that can be frozen and cached (`build_backbone`)
    working_size    the size and precision at which a network sees frames
    copies          spatially transformed copies of a given frame, for fine-tuning
    corpus          annotated photos and frames, decoded once
    views, sampling random views of them, and which image comes next
    training        a training run in a folder: steps, checkpoint, curves (`TrainingRun`)
    stored          networks on disk, with what their header says
    checkpoint      training runs that can be interrupted; weights by name
    progress        progress bars and curves of training; `schedule`: learning rates over it
    distributed     several processes that train one model
    seeds           one seed from several numbers

It is no plugin itself and registers nothing.
"""
