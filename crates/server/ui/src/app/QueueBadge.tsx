import { useTasks } from "../api/queries";

/** How many tasks wait or run. */
export function QueueBadge() {
  const { data = [] } = useTasks({ status: ["pending", "processing"], order: "asc" });
  if (data.length === 0) return null;
  return (
    <span className="badge numbers">
      {data.length >= 100 ? "99+" : data.length}
      <span className="visually-hidden"> waiting or running</span>
    </span>
  );
}
