"""Holds our requests to remote providers against those of the providers' own clients. See scripts/check-remote-wire.

One file a provider, beside these. It must import the provider's client inside its functions only, because it is read for PACKAGES before
they are installed. It has

    PACKAGES    what pip installs: ["boto3==1.44.8"]
    PROVIDER    the provider's name for the example `wire`
    IGNORED     {header in lower case: why it may differ}
    LOOSE       {query parameter: why its value may differ}; optional
    answer(request) -> Answer     what the recording server answers both clients with
    cases(base) -> [Case]         what is asked of both; base is the server's address
    environment(base) -> dict     variables that both clients run under; optional
    judge(request, ours) -> str or None   a reason to refuse a request by itself, for instance its signature; optional
    more(wire) -> iterator of (name, reason or None)   checks of another kind; optional
"""
