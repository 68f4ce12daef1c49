"""Pictures, annotations and batches: everything between the files on disk and the model."""
