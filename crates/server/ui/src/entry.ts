// What runs first: small, so that the first view's file is under way while the browser still reads React's.
import { applyTheme } from "./app/theme";
import { firstView, VIEW_FILES } from "./app/view-files";
import "./styles/tokens.css";
import "./styles/base.css";
import "./app/shell.css";

applyTheme();

// The navigation that is in index.html is painted first, unless nothing is: a tab in the background waits for no paint.
if (document.visibilityState === "hidden") start();
else requestAnimationFrame(() => requestAnimationFrame(start));

function start() {
  void VIEW_FILES[firstView(location.hash)]().catch(() => undefined); // The view itself says what failed.
  import("./main").catch(() => {
    const note = document.createElement("p");
    note.role = "alert";
    note.className = "page";
    note.textContent = "The page's files could not be read. Reload the page; the server may have been updated or stopped.";
    document.querySelector(".main")?.append(note);
  });
}
