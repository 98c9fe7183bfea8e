"""Models: networks (tensors in, tensors out), and their folders. The only package that imports torch."""
