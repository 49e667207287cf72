const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Texts that are longer are no parameters; a small file could claim to unpack to gigabytes. */
const LONGEST = 4_000_000;

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder("utf-8");

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/**
 * The texts in a PNG's tEXt, zTXt and iTXt chunks, by their keywords; of several with one keyword the first. A damaged chunk ends the list,
 * because nothing says where the next one begins.
 */
export async function pngTexts(bytes: Uint8Array): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (!isPng(bytes)) return texts;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let place = SIGNATURE.length;
  // Length, type, data and checksum.
  while (place + 12 <= bytes.length) {
    const length = view.getUint32(place);
    const type = latin1.decode(bytes.subarray(place + 4, place + 8));
    const end = place + 8 + length;
    if (end + 4 > bytes.length || type === "IEND") break;
    const entry = await textOf(type, bytes.subarray(place + 8, end));
    if (entry !== null && !texts.has(entry[0])) texts.set(...entry);
    place = end + 4;
  }
  return texts;
}

async function textOf(type: string, data: Uint8Array): Promise<[string, string] | null> {
  const zero = data.indexOf(0);
  if (zero < 1) return null;
  const keyword = latin1.decode(data.subarray(0, zero));
  const rest = data.subarray(zero + 1);
  try {
    switch (type) {
      case "tEXt":
        return [keyword, decoded(rest)];
      case "zTXt":
        return [keyword, decoded(await inflated(rest.subarray(1)))];
      case "iTXt": {
        // Flag, method, language, translated keyword, text.
        const isCompressed = rest[0] === 1;
        const language = rest.indexOf(0, 2);
        const translated = language < 0 ? -1 : rest.indexOf(0, language + 1);
        if (translated < 0) return null;
        const text = rest.subarray(translated + 1);
        return [keyword, utf8.decode(isCompressed ? await inflated(text) : text)];
      }
      default:
        return null;
    }
  } catch {
    // A damaged text is as good as none.
    return null;
  }
}

/** The format says Latin-1, and many programs write UTF-8. */
function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return latin1.decode(bytes);
  }
}

async function inflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Response(new Uint8Array(bytes)).body?.pipeThrough(new DecompressionStream("deflate"));
  if (stream === undefined) throw new Error("There is nothing to unpack");
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > LONGEST) {
      void reader.cancel();
      throw new Error("The text is too long");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}
