"""What a process is watched by. Runs beside the script: imports torch, the standard library and itself only.

Nothing here changes what a script computes: no random numbers, no samples read, no arithmetic on its tensors.
"""
