# The product for production, without the embedded database: DATABASE_URL says where it is.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements/base.txt requirements/
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .
ENV PATH=/venv/bin:$PATH DATA_DIR=/data
RUN python manage.py messages --compile \
 && python manage.py collectstatic --noinput --verbosity 0 \
 && rm -f /data/secret_key

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin activities
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY --from=build --chown=activities /data /data
WORKDIR /app
USER activities
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PRODUCTION=1 DATA_DIR=/data BIND=0.0.0.0 PORT=8000 LOG_LEVEL=INFO LOG_FORMAT=json
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen(urllib.request.Request('http://127.0.0.1:8000/healthz', headers={'Host': __import__('os').environ['ALLOWED_HOSTS'].split(',')[0]}), timeout=4)"]
CMD ["gunicorn", "--config", "config/gunicorn.py", "config.wsgi"]
