import { useCallback, useEffect, useRef } from "react";
import { messageOf } from "../api/problems";
import { toast } from "../components";

/** For `onError` of a form that shows its errors itself: says them in a toast if the form is not there any more. */
export function useErrorWhenGone(): (error: Error) => void {
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    return () => {
      isHere.current = false;
    };
  }, []);
  return useCallback((error) => {
    if (!isHere.current) toast(messageOf(error), { tone: "error" });
  }, []);
}
