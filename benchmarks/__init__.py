"""How fast Earmark is, and whether it loses anything: `python -m benchmarks` measures and writes docs/benchmarks.md."""
