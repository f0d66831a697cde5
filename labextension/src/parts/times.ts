/** Times and durations as people read them, and the clock that they tick by. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useState } from 'react';

/** A duration in seconds, in two units at most. */
export function span(seconds: number, trans: TranslationBundle): string {
  const all = Math.max(0, seconds);
  if (all < 9.95) {
    return trans.__('%1 s', all.toFixed(1));
  }
  const whole = Math.round(all);
  if (whole < 60) {
    return trans.__('%1 s', whole);
  }
  if (whole < 3600) {
    return trans.__('%1 min %2 s', Math.floor(whole / 60), whole % 60);
  }
  return trans.__('%1 h %2 min', Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}

/** How long ago something was, in one unit; times are seconds since 1970. */
export function age(time: number, now: number, trans: TranslationBundle): string {
  const seconds = Math.max(0, now - time);
  if (seconds < 60) {
    return trans.__('just now');
  }
  if (seconds < 3600) {
    return trans.__('%1 min ago', Math.floor(seconds / 60));
  }
  if (seconds < 86400) {
    return trans.__('%1 h ago', Math.floor(seconds / 3600));
  }
  return trans._n('%1 day ago', '%1 days ago', Math.floor(seconds / 86400));
}

/** A time of day, as the user's system writes it. */
export function clock(time: number): string {
  return new Date(time * 1000).toLocaleTimeString();
}

/** The time in seconds since 1970; the component is rendered anew as it goes on. */
export function useNow(isTicking: boolean, every = 1000): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!isTicking) {
      return undefined;
    }
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), every);
    return () => clearInterval(timer);
  }, [isTicking, every]);
  return now;
}
