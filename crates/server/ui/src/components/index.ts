export { Button, type ButtonProps, IconButton, type IconButtonProps } from "./Button";
export { type Choice, ComboBox, Menu, type MenuEntry, Select } from "./choices";
export { type FieldTexts, NumberField, SliderField, Switch, TextField } from "./fields";
export { fetchImage, type GivenImage, imageIn, loadImage, readImage, usePastedImage } from "./given-image";
export { Icon, type IconName } from "./icons";
export { confirm, Dialog, DialogActions, toast } from "./overlays";
export { Disclosure, EmptyState, ErrorMessage, ProgressBar, Tabs } from "./panels";
export { DropZone, GivenPicture, Picture } from "./pictures";
