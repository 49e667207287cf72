/** The view "Machine". */
export default function MachineView() {
  return (
    <div className="page">
      <h1>Machine</h1>
    </div>
  );
}
