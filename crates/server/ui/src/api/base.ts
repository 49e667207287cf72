/** The API's base address with a slash at its end: the folder above the page's own, behind any path prefix. */
export const apiBase = new URL("../", new URL(".", document.baseURI));

/**
 * An address that the server answered, as this page may load it. The server builds addresses from the host that it knows; a page that was
 * opened under another name of the same server takes the same path from its own origin, because its policy allows no other.
 */
export function localUrl(address: string): string {
  if (address.startsWith("data:") || address.startsWith("blob:")) return address;
  const url = new URL(address, apiBase);
  // A proxy may serve the server below a prefix that the server does not know.
  if (url.origin === apiBase.origin && url.pathname.startsWith(apiBase.pathname)) return url.href;
  const start = url.pathname.search(/\/(files|api)\//);
  return start < 0 ? url.href : new URL(url.pathname.slice(start + 1) + url.search, apiBase).href;
}
