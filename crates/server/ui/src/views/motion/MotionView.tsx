/** The view "Motion". */
export default function MotionView() {
  return (
    <div className="page">
      <h1>Motion</h1>
    </div>
  );
}
