"""The convolution and pooling kernels: what each operation is, in explicit numbers, and how XLA is asked for it.

Every public op above checks its arguments, turns them into a `geometry.Window`, and ends here. This is the seam
where faster lowerings are chosen: callers see `conv`, `conv_transpose`, `window_sum`, `window_extremum` and
`window_argextremum`, never `lax`. `axis` and `irregular` hold the same for maps of one axis, such as resizing, and
for windows of uneven size, such as adaptive pooling's.
"""
