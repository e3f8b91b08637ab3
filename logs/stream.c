#include "logs/stream.h"

#include "base/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int stream_open(struct stream *stream)
{
	off_t position = lseek(stream->memory, 0, SEEK_CUR);
	int error = position < 0 ? -errno : ring_map(stream->memory, 0, LOG_RING_SIZE, &stream->ring);

	if (error < 0)
		return error;
	stream->mark = stream->kept->copy[stream->kept->current & 1];
	stream->produced = log_produced(stream->mark.consumed, (uint64_t)position);
	return 0;
}

/* Into memory at its descriptor's position, which goes on by as much in the same call. Where there is no splice(2), by
 * the rules of a filter, it goes on in a call of its own: who is killed between the two loses what was read. */
static ssize_t take(const struct stream *stream, size_t length)
{
	ssize_t taken = splice(stream->pipe, NULL, stream->memory, NULL, length, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (taken >= 0 || errno == EAGAIN || errno == EINTR)
		return taken;
	taken = read(stream->pipe, ring_place(&stream->ring, stream->produced), length);
	if (taken > 0 && lseek(stream->memory, taken, SEEK_CUR) < 0)
		return -1;
	return taken;
}

bool stream_read(struct stream *stream, int64_t wall_ns, bool last)
{
	const size_t place = stream->produced % LOG_RING_SIZE, room = stream_room(stream);
	const size_t to_end = LOG_RING_SIZE - place;
	ssize_t taken;

	if (room == 0 || stream->ended)
		return false;
	if (place == 0 && lseek(stream->memory, 0, SEEK_SET) < 0)
		return false;
	taken = take(stream, room < to_end ? room : to_end);
	if (taken <= 0) {
		stream->ended = taken == 0 || (last && errno != EINTR);
		return false;
	}
	stream->produced += (uint64_t)taken;
	stream->read_at_ns = wall_ns;
	return true;
}

bool stream_pump(struct stream *stream)
{
	const struct pump_input input = {
		.text = ring_place(&stream->ring, stream->mark.consumed),
		.length = (size_t)(stream->produced - stream->mark.consumed),
		.ended = stream->ended,
	};
	struct sink *sink = stream->sink;
	const uint64_t before = stream->mark.consumed, head = sink->head;
	struct envelope envelope;

	if (!pump_is_held(&input) && stream->mark.untold == 0)
		return false;
	envelope_begin(&envelope, stream->format, stream->service, stream->name, stream->read_at_ns);
	stream->mark.head = head;
	pump_lines(&stream->mark, &input, &envelope, stream->drop, sink_room(sink), ring_place(&sink->ring, head));
	if (stream->mark.consumed == before && stream->mark.head == head)
		return false;
	kept_commit(&stream->kept->current, stream->kept->copy, &stream->mark, sizeof stream->mark);
	sink->head = stream->mark.head;
	return true;
}
