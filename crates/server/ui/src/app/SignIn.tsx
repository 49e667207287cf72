import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { signIn, useSession } from "../api/session";
import { Button, Dialog, DialogActions, TextField } from "../components";

/** Asks for the key when the server wants one. It is kept until the tab is closed. */
export function SignIn() {
  const { isKeyNeeded, isKeyWrong } = useSession();
  const [key, setKey] = useState("");
  const queries = useQueryClient();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const entered = key.trim();
    if (entered === "") return;
    signIn(entered);
    setKey("");
    void queries.resetQueries();
  };
  return (
    <Dialog title="Sign in" isOpen={isKeyNeeded} onClose={() => undefined} isKeyboardDismissDisabled>
      <form className="stack" onSubmit={submit}>
        <TextField
          label="Key"
          type="password"
          autoComplete="current-password"
          autoFocus
          value={key}
          onChange={setKey}
          help="This server needs a key. Its operator has it. It is forgotten when you close this tab."
          error={isKeyWrong && key === "" ? "The server does not know this key. Check it, and enter it again." : null}
        />
        <DialogActions>
          <Button variant="primary" type="submit" isDisabled={key.trim() === ""}>
            Sign in
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
