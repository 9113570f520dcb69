package plotting

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"math"
)

// PNG returns the animation as an animated PNG (Portable Network Graphics, third edition,
// W3C 2025, section 11.3.6), at 144 pixels per inch. Its still picture is the last frame.
func (a Animation) PNG() ([]byte, error) {
	frames, err := a.render()
	if err != nil {
		return nil, err
	}
	still, err := a.still(frames)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("\x89PNG\r\n\x1a\n")
	writeChunk(&out, "IHDR", still.header)
	writeChunk(&out, "acTL", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(len(frames))), 0))
	writeChunk(&out, "PLTE", still.palette)
	writeChunk(&out, "IDAT", still.data)
	sequence := uint32(0)
	for i, f := range frames {
		one, err := encodePaletted(f)
		if err != nil {
			return nil, err
		}
		r := f.Bounds()
		var control []byte
		for _, v := range []int{int(sequence), r.Dx(), r.Dy(), r.Min.X, r.Min.Y} {
			control = binary.BigEndian.AppendUint32(control, uint32(v))
		}
		control = binary.BigEndian.AppendUint16(control, uint16(math.Round(1000*a.delay(i))))
		control = binary.BigEndian.AppendUint16(control, 1000)
		control = append(control, 0, 0) // leave the frame, and replace what is there
		writeChunk(&out, "fcTL", control)
		writeChunk(&out, "fdAT", append(binary.BigEndian.AppendUint32(nil, sequence+1), one.data...))
		sequence += 2
	}
	writeChunk(&out, "IEND", nil)
	return out.Bytes(), nil
}

// still is the last frame, whole.
func (a Animation) still(frames []*image.Paletted) (encoded, error) {
	whole := image.NewPaletted(frames[0].Bounds(), frames[0].Palette)
	for _, f := range frames {
		r := f.Bounds()
		for y := r.Min.Y; y < r.Max.Y; y++ {
			copy(whole.Pix[whole.PixOffset(r.Min.X, y):][:r.Dx()], f.Pix[f.PixOffset(r.Min.X, y):][:r.Dx()])
		}
	}
	return encodePaletted(whole)
}

// encoded is what a PNG of one picture consists of.
type encoded struct{ header, palette, data []byte }

func encodePaletted(img *image.Paletted) (out encoded, err error) {
	var whole bytes.Buffer
	if err := png.Encode(&whole, img); err != nil {
		return out, fmt.Errorf("plotting: encoding a frame: %w", err)
	}
	for rest := whole.Bytes()[8:]; len(rest) >= 12; {
		length := binary.BigEndian.Uint32(rest)
		content := rest[8 : 8+length]
		switch string(rest[4:8]) {
		case "IHDR":
			out.header = content
		case "PLTE":
			out.palette = content
		case "IDAT":
			out.data = append(out.data, content...)
		}
		rest = rest[12+length:]
	}
	return out, nil
}

func writeChunk(out *bytes.Buffer, kind string, content []byte) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	out.Write(length)
	body := append([]byte(kind), content...)
	out.Write(body)
	out.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}
