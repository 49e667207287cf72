import { useEffect, useState } from "react";

/** Pixels a millisecond beyond which nobody sees a picture go by: at 60 frames a second, a quarter of a screen each. */
const FAST = 15;
/** How long after the last fast frame the pictures come. */
const SETTLED = 120;

/** Whether the page is being scrolled so fast that pictures are better left out: reading and drawing them would make it stutter. */
export function useFastScroll(): boolean {
  const [isFast, setFast] = useState(false);
  useEffect(() => {
    let before = { place: window.scrollY, time: performance.now() };
    let timer: ReturnType<typeof setTimeout> | null = null;
    const scrolled = () => {
      const now = { place: window.scrollY, time: performance.now() };
      const speed = Math.abs(now.place - before.place) / Math.max(now.time - before.time, 1);
      before = now;
      if (speed < FAST) return;
      setFast(true);
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => setFast(false), SETTLED);
    };
    window.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      if (timer !== null) clearTimeout(timer);
      window.removeEventListener("scroll", scrolled);
    };
  }, []);
  return isFast;
}
