/** The view "Image". */
export default function ImageView() {
  return (
    <div className="page">
      <h1>Image</h1>
    </div>
  );
}
