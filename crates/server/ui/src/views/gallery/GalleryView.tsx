/** The view "Gallery". */
export default function GalleryView() {
  return (
    <div className="page">
      <h1>Gallery</h1>
    </div>
  );
}
