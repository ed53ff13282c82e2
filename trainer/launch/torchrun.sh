#!/usr/bin/env bash
# Train on the accelerators of this machine:
#
#   trainer/launch/torchrun.sh CONFIG [section.key=value ...]
#
# A rank that dies takes the others with it; torchrun starts them again, from the last checkpoint.
# RANKS says how many there are (one for each GPU), RESTARTS how often they are started again.
set -euo pipefail

# Less fragmentation, where batches differ in shape.
export PYTORCH_ALLOC_CONF="${PYTORCH_ALLOC_CONF:-expandable_segments:True}"

exec torchrun --standalone --nproc-per-node "${RANKS:-gpu}" --max-restarts "${RESTARTS:-2}" \
  -m trainer "$@"
