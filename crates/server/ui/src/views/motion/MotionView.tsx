import { useLocation, useRoute } from "wouter";
import { localUrl } from "../../api/base";
import { messageOf } from "../../api/problems";
import { type Handoff, useHandoff } from "../../app/handoff";
import { useKept } from "../../app/kept";
import { usePersistent } from "../../app/persistent";
import { fetchImage, type GivenImage, Tabs, toast } from "../../components";
import { ClipTab } from "./ClipTab";
import { type ClipSettings, clipOfBody, storedClip } from "./clip-settings";
import { ScenesTab } from "./ScenesTab";
import { isBlank } from "./scene-draft";
import { draftOfBody } from "./scene-file";
import { useDraft } from "./useScenes";
import "./motion.css";

const SCENES = "scenes";
const PICTURE = "picture";

function tabOf(name: unknown): typeof SCENES | typeof PICTURE {
  return name === SCENES ? SCENES : PICTURE;
}

/** Sets pictures in motion, and makes videos of scenes. */
export default function MotionView() {
  const [, parameters] = useRoute("/motion/:tab");
  const [, navigate] = useLocation();
  const [last, setLast] = usePersistent("motion.tab", tabOf);
  const tab = parameters?.tab === undefined ? last : tabOf(parameters.tab);
  const openTab = (next: string) => {
    // Also for the address without a tab, by which other views open this one.
    setLast(tabOf(next));
    navigate(`/motion/${next}`);
  };
  const [clip, setClip] = usePersistent("motion.clip", storedClip);
  const [image, setImage] = useKept<GivenImage | null>("motion-picture", null);
  const draft = useDraft();
  const set = (change: Partial<ClipSettings>) => setClip((before) => ({ ...before, ...change }));

  useHandoff("motion", (handoff) => void receive(handoff));
  const receive = async ({ request, pictures = [] }: Handoff) => {
    if (request?.path === "/generate-video") {
      const before = draft.draft;
      draft.setDraft(draftOfBody(request.body));
      if (!isBlank(before)) toast("The scenes were replaced.", { action: { label: "Undo", onPress: () => draft.setDraft(before) } });
      openTab(SCENES);
      return;
    }
    openTab(PICTURE);
    if (request !== undefined) setClip(clipOfBody(request.body));
    const picture = pictures.find(({ role }) => role === "image");
    if (picture === undefined) {
      if (request?.needs?.includes("image")) {
        setImage(null);
        toast("This video was made from a picture, which is not kept. Add it again.");
      }
      return;
    }
    try {
      setImage(await fetchImage(localUrl(picture.url), picture.name));
    } catch (error) {
      toast(messageOf(error), { tone: "error" });
    }
  };

  return (
    <div className="motion">
      <h1 className="visually-hidden">Motion</h1>
      <Tabs
        label="What to make"
        selected={tab}
        onSelect={openTab}
        tabs={[
          {
            id: PICTURE,
            title: "Set a picture in motion",
            content: <ClipTab settings={clip} set={set} image={image} onImage={setImage} />,
          },
          { id: SCENES, title: "Scenes", content: <ScenesTab state={draft} /> },
        ]}
      />
    </div>
  );
}
