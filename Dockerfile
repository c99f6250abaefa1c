# One image for every service: Airflow's four programs, the simulated systems, the report.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DO_NOT_TRACK=1 BSSHUB_HOME=/var/lib/bsshub AIRFLOW_HOME=/var/lib/bsshub/airflow

# The folders that become volumes, so that these begin as this user's.
RUN useradd --create-home --uid 1000 bsshub \
 && install -d -o bsshub -g bsshub /var/lib/bsshub /var/lib/bsshub/sim /var/lib/bsshub/report

WORKDIR /opt/bsshub
COPY requirements.lock ./
# The lock holds the developers' packages too; the simulator needs one of them, and one lock is one truth.
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --quiet --require-hashes -r requirements.lock
ENV PATH=/opt/bsshub/docker:/opt/venv/bin:$PATH

# The code stays root's: who runs it cannot change it.
COPY . .
RUN pip install --quiet --no-deps --no-build-isolation -e . && python3 -m compileall -q -x '/\.' .

USER bsshub
ENTRYPOINT ["entrypoint"]
