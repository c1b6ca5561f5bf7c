# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY sip sip
COPY media media
COPY pbx pbx
RUN python -m venv /opt/dialtrace \
 && /opt/dialtrace/bin/pip install --no-cache-dir -c requirements.lock .

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends espeak-ng \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/dialtrace dialtrace
COPY --from=build /opt/dialtrace /opt/dialtrace
ENV PATH=/opt/dialtrace/bin:$PATH PYTHONUNBUFFERED=1
USER dialtrace
WORKDIR /etc/dialtrace
# Mount config.yaml and ivr_flows/ at /etc/dialtrace, and the data directory that config.yaml names.
VOLUME /var/lib/dialtrace
# SIP over UDP and TCP, the dashboard and API, RTP and RTCP.
EXPOSE 5060/udp 5060/tcp 8080/tcp 20000-24999/udp
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["pbx"]
CMD ["serve", "--config", "/etc/dialtrace/config.yaml"]
