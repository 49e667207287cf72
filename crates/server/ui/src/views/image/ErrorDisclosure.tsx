import { useState } from "react";
import { Disclosure, type DisclosureProps } from "../../components/panels";

interface Props extends Omit<DisclosureProps, "isExpanded" | "defaultExpanded" | "onExpandedChange"> {
  /** Whether a field inside has a fault, which must be seen. */
  hasError: boolean;
  defaultExpanded?: boolean;
}

/** A disclosure that opens by itself when a field inside has a fault. */
export function ErrorDisclosure({ hasError, defaultExpanded = false, ...props }: Props) {
  const [isExpanded, setExpanded] = useState(defaultExpanded);
  const [hadError, setHadError] = useState(false);
  if (hasError !== hadError) {
    setHadError(hasError);
    if (hasError) setExpanded(true);
  }
  return <Disclosure {...props} isExpanded={isExpanded} onExpandedChange={setExpanded} />;
}
