// A proxy that loses an answer, so that a client sends its request again.
import { createServer, connect } from "node:net";

/** A proxy that closes its first connection when the answer arrives. */
export const losingProxy = async (url) => {
  const target = new URL(url);
  let lost = 0;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const loses = lost++ === 0;
    near.pipe(far);
    far.on("data", (data) => (loses ? near.destroy() : near.write(data)));
    far.on("end", () => near.end());
    for (const [end, other] of [[near, far], [far, near]]) {
      end.on("error", () => other.destroy());
      end.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
};
