#!/usr/bin/env bash
# Say running, success or failed for one Slurm job, as Snakemake's generic executor expects.
state=$(squeue --noheader --states=all --format=%T --jobs "$1" 2>/dev/null | head -n 1)
case "$state" in
  COMPLETED) echo success ;;
  PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED) echo running ;;
  *) echo failed ;;
esac
