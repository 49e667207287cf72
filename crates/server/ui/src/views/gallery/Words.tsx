import type { Word } from "./words";

const LONG = 60;

/** Parameters as a list of names and values; long ones take the whole width. */
export function Words({ words }: { words: readonly Word[] }) {
  return (
    <dl className="gallery-words">
      {words.map(([name, value]) => (
        <div key={name} className="gallery-word" data-long={value.length > LONG || /prompt$/i.test(name) || undefined}>
          <dt>{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
