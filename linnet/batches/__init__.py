"""batches: tokens in tensors, resumable."""
