// Package pictures makes the pictures of a recording: the poster that stands for it, and the
// storyboard that players show while a viewer seeks. Both are made of keyframes only.
package pictures
