"""Proxies that lose or delay answers, so that a client sends its request again."""

import socket
import threading
import time
from urllib.parse import urlsplit


class LosingProxy:
    """Forwards every connection to a server, and closes the first `losses` of them when their answer arrives."""

    def __init__(self, url, losses=1):
        target = urlsplit(url)
        self.target = (target.hostname, target.port or 80)
        self.losses = losses
        self.lost = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.target)
            loses = self.lost < self.losses
            self.lost += loses
            threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, loses), daemon=True).start()

    def _lose(self):
        """What happens to an answer that is lost; True if the connection is closed."""
        return True

    def _copy(self, source, sink, loses):
        try:
            while data := source.recv(65536):
                if loses and self._lose():
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class SlowProxy(LosingProxy):
    """Delays the answers on its first connection by some seconds instead."""

    def __init__(self, url, seconds):
        self.seconds = seconds
        super().__init__(url)

    def _lose(self):
        time.sleep(self.seconds)
        return False
