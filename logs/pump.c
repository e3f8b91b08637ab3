#include "logs/pump.h"

/* A line whose beginning was dropped is dropped to its end, and counts once. */
static void drop_piece(struct log_stream_mark *mark, const struct line_piece *piece)
{
	mark->dropping = piece->goes_on;
	mark->dropped += !piece->goes_on;
	mark->untold += !piece->goes_on;
}

/* The word about those that were lost comes before what was not. Returns the bytes written. */
static size_t confess(struct log_stream_mark *mark, const struct envelope *envelope, char *ret_line)
{
	size_t length = mark->untold > 0 ? envelope_write_dropped(envelope, mark->untold, ret_line) : 0;

	mark->untold = 0;
	return length;
}

size_t pump_lines(struct log_stream_mark *mark, const struct pump_input *input, const struct envelope *envelope,
	bool drop, size_t room, char *ret_lines)
{
	const size_t word = envelope_bound(envelope, 0);
	size_t taken = 0, written = 0;
	struct line_piece piece;

	while (line_first(input->text + taken, input->length - taken, input->ended, &piece)) {
		const size_t needed = envelope_bound(envelope, piece.length) + (mark->untold > 0 ? word : 0);

		if (mark->dropping || (drop && needed > room - written)) {
			drop_piece(mark, &piece);
		} else if (needed > room - written) {
			break;
		} else {
			written += confess(mark, envelope, ret_lines + written);
			written += envelope_write(envelope, &piece, ret_lines + written);
		}
		taken += piece.taken;
	}
	if (input->ended && taken == input->length && word <= room - written)
		written += confess(mark, envelope, ret_lines + written);
	mark->consumed += taken;
	mark->head += written;
	return written;
}

bool pump_is_held(const struct pump_input *input)
{
	struct line_piece piece;

	return line_first(input->text, input->length, input->ended, &piece);
}
