/** The view "Queue". */
export default function QueueView() {
  return (
    <div className="page">
      <h1>Queue</h1>
    </div>
  );
}
