"""Compares our requests to remote providers with those of the providers' own clients. See scripts/check-remote-wire.

Each provider has one file beside this one. It must import the provider's client only inside its functions, because PACKAGES is read before
the packages are installed. It defines

    PACKAGES    the packages for pip: ["boto3==1.44.8"]
    PROVIDER    the provider's name for the example `wire`
    IGNORED     {header in lower case: why it may differ}
    LOOSE       {query parameter: why its value may differ}; optional
    answer(request) -> Answer     the recording server's answer to both clients
    cases(base) -> [Case]         the inputs of both; base is the server's address
    environment(base) -> dict     environment variables of both clients; optional
    judge(request, ours) -> str or None   a reason to refuse a single request, for instance its signature; optional
    more(wire) -> iterator of (name, reason or None)   other checks; optional
"""
