#!/usr/bin/env bash
# Train on several machines under SLURM, over as many jobs as it takes:
#
#   sbatch --nodes 16 trainer/launch/slurm.sh CONFIG [section.key=value ...]
#
# from the repository, with its environment active. The run saves and stops run.margin_minutes
# before the job's time is over, and the job is queued again until RUN/COMPLETED is there. Stop it
# for good with `scancel`, or with `touch RUN/STOP` and a `scontrol hold`.
#SBATCH --job-name=trainer
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail

# Ranks know the end of their job by this, in seconds since 1970; older SLURM does not set it.
end() { date --date "$(squeue --noheader --jobs "$SLURM_JOB_ID" --format %e)" +%s; }
export SLURM_JOB_END_TIME="${SLURM_JOB_END_TIME:-$(end)}"
# The first torchrun is connected with all ranks: a descriptor for each. srun passes the limit on.
ulimit -Sn "$(ulimit -Hn)"
export PYTORCH_ALLOC_CONF="${PYTORCH_ALLOC_CONF:-expandable_segments:True}"

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node gpu --max-restarts "${RESTARTS:-2}" \
  --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:${PORT:-29400}" \
  -m trainer "$@"
code=$?

# 0 and not completed is a stop that saved; torchrun gives its own code for all that went wrong.
run=$(python -m trainer "$@" --print-config | sed -n 's/^dir = "\(.*\)"$/\1/p')
if [ "$code" -eq 0 ] && [ ! -e "$run/COMPLETED" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
