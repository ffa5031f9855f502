#!/bin/sh
# Prints PyTorch's index of CPU builds where that is the one to take: on Linux, without an NVIDIA driver, if it answers.
#
#   .ci/torch_index.sh PYTHON
#
# PyTorch's default build for Linux brings NVIDIA's libraries, about 2.5 GB.
index=https://download.pytorch.org/whl/cpu

[ "$(uname -s)" = Linux ] || exit 0
if command -v nvidia-smi >/dev/null 2>&1; then exit 0; fi
# Of an index that does not answer, pip would ask again and again, for every package.
if "$1" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' "$index/torch/" 2>/dev/null
then echo "$index"
fi
