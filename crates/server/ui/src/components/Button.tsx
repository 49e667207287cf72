import type { ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps, Tooltip, TooltipTrigger } from "react-aria-components";
import { Icon, type IconName } from "./icons";
import "./button.css";

interface Look {
  /** "primary" for the one thing that a view is for; "quiet" without a border; "danger" for what can't be undone. */
  variant?: "primary" | "plain" | "quiet" | "danger";
  size?: "m" | "s";
  icon?: IconName;
}

export interface ButtonProps extends Omit<AriaButtonProps, "className" | "children">, Look {
  children: ReactNode;
}

export function Button({ variant = "plain", size = "m", icon, children, ...props }: ButtonProps) {
  return (
    <AriaButton {...props} className="button" data-variant={variant} data-size={size}>
      {icon !== undefined && <Icon name={icon} size={18} />}
      <span>{children}</span>
    </AriaButton>
  );
}

export interface IconButtonProps extends Omit<AriaButtonProps, "className" | "children" | "aria-label">, Look {
  icon: IconName;
  /** The accessible name, also shown as a tooltip. */
  label: string;
}

/** A button that shows only a drawing. */
export function IconButton({ variant = "quiet", size = "m", icon, label, ...props }: IconButtonProps) {
  return (
    <TooltipTrigger delay={500} closeDelay={0}>
      <AriaButton {...props} className="button button-icon" data-variant={variant} data-size={size} aria-label={label}>
        <Icon name={icon} size={size === "s" ? 16 : 20} />
      </AriaButton>
      <Tooltip className="tooltip" offset={6}>
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}
