"""Famous networks in PyTorch; each file stands alone and can be lifted out."""
