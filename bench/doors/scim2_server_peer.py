"""scim2-server as its own command serves it, with users from a file: FILE PORT TOKEN."""

import json
import secrets
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_resource_types, load_default_schemas, load_default_service_provider_config


class Silent(WSGIRequestHandler):
    """Its command writes a line for each request; that is not what is measured."""

    def log_message(self, *_):
        pass


def main():
    file, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    config = load_default_service_provider_config()
    config.authentication_schemes = [*(config.authentication_schemes or []), BEARER_TOKEN_SCHEME]
    provider = ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )
    user, enterprise = (
        next(model for model in provider.models if model.__name__ == name) for name in ("User", "EnterpriseUser")
    )
    storage = InMemoryStorage()
    with open(file, encoding="utf-8") as users:
        storage.resources = [user[enterprise].model_validate(json.loads(line)) for line in users]
    service = ScimService(provider, secret=secrets.token_urlsafe(32))
    application = BearerTokenApplication(storage, provider, service=service, bearer_tokens=[token])
    with make_server("127.0.0.1", port, application, ThreadingWSGIServer, Silent) as server:
        print(json.dumps({"origin": f"http://127.0.0.1:{server.server_port}/v2"}), flush=True)
        server.serve_forever()


main()
