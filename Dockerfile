# One image for every service: Airflow's four processes, the simulated systems and the report.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 \
    BSSHUB_HOME=/var/lib/bsshub AIRFLOW_HOME=/var/lib/bsshub/airflow

RUN useradd --create-home --uid 1000 bsshub && mkdir -p /var/lib/bsshub && chown bsshub /var/lib/bsshub

WORKDIR /opt/bsshub
COPY requirements.lock ./
# The lock holds the developers' and the benchmarks' packages too; the simulator needs one of them, and one lock is one truth.
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --quiet --require-hashes -r requirements.lock
ENV PATH=/opt/venv/bin:$PATH

COPY . .
RUN /opt/venv/bin/pip install --quiet --no-deps --no-build-isolation -e . && chown -R bsshub /opt/bsshub

USER bsshub
ENTRYPOINT ["/opt/bsshub/docker/entrypoint"]
