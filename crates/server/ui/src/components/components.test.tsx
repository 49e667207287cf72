import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { Button, confirm, Menu, NumberField, Select, SliderField, TextField } from ".";
import { ConfirmHost } from "./overlays";

function Steps() {
  const [steps, setSteps] = useState(20);
  return <SliderField label="Steps" value={steps} onChange={setSteps} minValue={1} maxValue={150} sliderMax={60} />;
}

test("a field's error belongs to it", () => {
  render(<TextField label="Prompt" rows={3} error="Field required" />);
  const field = screen.getByRole("textbox", { name: "Prompt" });
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(field.getAttribute("aria-describedby")?.split(" ").at(-1) ?? "")?.textContent).toBe("Field required");
  expect(field.getAttribute("dir")).toBe("auto");
});

test("a number field takes typed numbers", async () => {
  const change = vi.fn();
  render(<NumberField label="Seed" value={1} onChange={change} minValue={0} />);
  const field = screen.getByRole("textbox", { name: "Seed" });
  await userEvent.clear(field);
  await userEvent.type(field, "42");
  await userEvent.tab();
  expect(change).toHaveBeenLastCalledWith(42);
});

test("a slider has a number beside it", async () => {
  render(<Steps />);
  const number = screen.getByRole("textbox", { name: "Steps, number" });
  await userEvent.clear(number);
  await userEvent.type(number, "100");
  await userEvent.tab();
  expect((screen.getByRole("slider", { name: "Steps" }) as HTMLInputElement).value).toBe("60");
  expect((number as HTMLInputElement).value).toBe("100");
});

test("a choice is made by keyboard", async () => {
  const change = vi.fn();
  const choices = [
    { value: "ddim", label: "DDIM" },
    { value: "euler", label: "Euler" },
  ];
  render(<Select label="Scheduler" choices={choices} value="ddim" onChange={change} />);
  await userEvent.tab();
  await userEvent.keyboard("{Enter}");
  await userEvent.click(await screen.findByRole("option", { name: "Euler" }));
  expect(change).toHaveBeenCalledWith("euler");
});

test("a menu acts", async () => {
  const act = vi.fn();
  render(
    <Menu label="More" entries={[{ id: "a", label: "Delete", onAction: act }]}>
      <Button>More</Button>
    </Menu>,
  );
  await userEvent.click(screen.getByRole("button", { name: "More" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Delete" }));
  expect(act).toHaveBeenCalledOnce();
});

test("a question is answered once", async () => {
  render(<ConfirmHost />);
  const answer = confirm({ title: "Cancel all?", text: "Three tasks.", action: "Cancel all" });
  await userEvent.click(await screen.findByRole("button", { name: "Cancel all" }));
  expect(await answer).toBe(true);
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
});
