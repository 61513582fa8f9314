-- Makes the space of deleted payloads of a partition free for reuse.
vacuum runfold.{partition}
