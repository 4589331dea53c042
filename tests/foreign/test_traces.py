"""What the service tells by OTLP, read by OpenTelemetry's own definition of it."""

import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from gateway import served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@pytest.fixture
def collector():
    """Takes what is delivered; the first delivery is put off."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        put_off = False

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if not Handler.put_off:
                Handler.put_off = True
                self.send_response(503)
            else:
                taken.append((self.path, self.headers["content-type"], ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", taken, lambda: Handler.put_off
    server.shutdown()


def test_a_request_is_followed_to_its_calls(collector, tmp_path):
    address, taken, put_off = collector
    trace, above = uuid.uuid4().bytes, uuid.uuid4().bytes[:8]
    parent = f"00-{trace.hex()}-{above.hex()}-01"
    traces = f'[server.traces]\nendpoint = "{address}"\nservice_name = "gateway"'
    with served(tmp_path, options=traces) as gateway:
        body = {"type": "std:test-connection", "input": {}}
        answer = requests.post(f"{gateway}/sailpoint/contoso", json=body, headers={"traceparent": parent}, timeout=60)
        assert answer.status_code == 200, answer.text
        # A path that is not there, in a trace of its own.
        assert requests.get(f"{gateway}/scim/v2/Users/nobody@contoso.com", timeout=60).status_code == 404
        while not put_off():
            time.sleep(0.1)
    assert {(path, kind) for path, kind, _ in taken} == {("/v1/traces", "application/x-protobuf")}
    resources = [resource for _, _, request in taken for resource in request.resource_spans]
    for resource in resources:
        told = {pair.key: pair.value for pair in resource.resource.attributes}
        assert told["service.name"].string_value == "gateway"
        assert told["service.version"].string_value and told["process.pid"].int_value > 0
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert all(scope.scope.name == "exogate" for resource in resources for scope in resource.scope_spans)
    assert len({span.span_id for span in spans}) == len(spans)
    for span in spans:
        assert len(span.trace_id) == 16 and len(span.span_id) == 8 and span.name
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        assert "nobody" not in str(span)

    [request] = [span for span in spans if span.name == "POST /sailpoint/{source}"]
    assert (request.trace_id, request.parent_span_id, request.kind) == (trace, above, Span.SPAN_KIND_SERVER)
    attributes = {pair.key: pair.value for pair in request.attributes}
    assert attributes["http.request.method"].string_value == "POST"
    assert attributes["http.response.status_code"].int_value == 200
    calls = [span for span in spans if span.trace_id == trace and span.kind == Span.SPAN_KIND_CLIENT]
    assert "Get-Mailbox" in {call.name for call in calls}
    assert all(call.parent_span_id == request.span_id for call in calls)
    assert all(call.status.code == Status.STATUS_CODE_UNSET for call in calls)

    [missed] = [span for span in spans if span.name == "GET /scim/v2/Users/{id}"]
    assert missed.trace_id != trace and not missed.parent_span_id
