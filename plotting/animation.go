package plotting

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"math"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Animation is a film of figures of one size, in a loop. Inline it is an animated PNG,
// which shows wherever pictures do; what can't animate shows the last frame.
type Animation struct {
	Frames []Figure
	// Delay is the time in seconds that each frame stays, 0.02 to 60; 0 stands for 0.1.
	// The last frame stays for a second and a half more.
	Delay float64
}

// animationPerInch is the resolution of a film whose first figure has the default one.
const animationPerInch = 144

const holdAtEnd = 1.5

// Err returns what is wrong with the animation's input, nil if it can be rendered.
func (a Animation) Err() error {
	if len(a.Frames) == 0 {
		return fmt.Errorf("plotting: the animation has no frames: give at least one figure")
	}
	if a.Delay != 0 && !(a.Delay >= 0.02 && a.Delay <= 60) {
		return fmt.Errorf("plotting: the animation's delay is %g s: give 0.02 to 60, or 0 for 0.1", a.Delay)
	}
	for i, f := range a.Frames {
		if err := f.Err(); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		if f.width != a.Frames[0].width || f.height != a.Frames[0].height {
			return fmt.Errorf("plotting: frame %d is %.3g × %.3g inches and the first %.3g × %.3g: give all the same Size",
				i, f.width/72, f.height/72, a.Frames[0].width/72, a.Frames[0].height/72)
		}
	}
	return nil
}

// Dark returns the animation with every frame in dark style.
func (a Animation) Dark() Animation {
	frames := make([]Figure, len(a.Frames))
	for i, f := range a.Frames {
		frames[i] = f.Dark()
	}
	a.Frames = frames
	return a
}

// GIF returns the animation as a GIF of 256 colours, at 144 pixels per inch.
func (a Animation) GIF() ([]byte, error) {
	frames, err := a.render()
	if err != nil {
		return nil, err
	}
	film := gif.GIF{}
	for i, f := range frames {
		film.Image = append(film.Image, f)
		film.Delay = append(film.Delay, int(math.Round(100*a.delay(i))))
		film.Disposal = append(film.Disposal, gif.DisposalNone)
	}
	film.Config = image.Config{ColorModel: frames[0].ColorModel(), Width: frames[0].Bounds().Dx(), Height: frames[0].Bounds().Dy()}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, &film); err != nil {
		return nil, fmt.Errorf("plotting: encoding the GIF: %w", err)
	}
	return out.Bytes(), nil
}

// Save writes the animation to path, as GIF or animated PNG by its extension.
func (a Animation) Save(path string) error {
	var data []byte
	var err error
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".gif":
		data, err = a.GIF()
	case ".png", ".apng":
		data, err = a.PNG()
	default:
		return fmt.Errorf("plotting: %q has the extension %q: end the name in .png, .apng or .gif", path, extension)
	}
	if err != nil {
		return err
	}
	return write(path, data)
}

func (a Animation) delay(i int) float64 {
	delay := a.Delay
	if delay == 0 {
		delay = 0.1
	}
	if i == len(a.Frames)-1 {
		delay += holdAtEnd
	}
	return delay
}

// render returns the frames in a common palette; from the second on, the part alone that
// differs from the one before.
func (a Animation) render() ([]*image.Paletted, error) {
	if err := a.Err(); err != nil {
		return nil, err
	}
	perInch := a.Frames[0].perInch
	if perInch == 0 {
		perInch = animationPerInch
	}
	pictures := make([]*image.RGBA, len(a.Frames))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range a.Frames {
		group.Go(func() (err error) {
			pictures[i], err = f.Resolution(perInch).image()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	q := newQuantiser(pictures, a.Frames[0].colours().paper, nearInFilm)
	var frames []*image.Paletted
	var before *image.Paletted
	for _, picture := range pictures {
		whole, _ := q.convert(picture)
		frame := whole
		if before != nil {
			frame = whole.SubImage(changed(before, whole)).(*image.Paletted)
		}
		frames = append(frames, frame)
		before = whole
	}
	return frames, nil
}

// changed is the smallest rectangle outside which two pictures are the same, one pixel
// at least.
func changed(a, b *image.Paletted) image.Rectangle {
	box := image.Rectangle{}
	r := b.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if i := b.PixOffset(x, y); a.Pix[i] != b.Pix[i] {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if box.Empty() {
		return image.Rect(r.Min.X, r.Min.Y, r.Min.X+1, r.Min.Y+1)
	}
	return box
}
