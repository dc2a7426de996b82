-- Conversations that a bot had, and in how many segments.
-- Grain:   one row per conversation with a segment of a bot; none where no bot is named.
-- Counts:  segments of bots, as in named_segments: by agents.csv, else by skills.csv. A person had the
--          conversation, too, if segment_count of conversation_metrics is more than bot_segment_count.
-- Units:   counts.
-- Source:  ours; named_segments.

select
    account_id,
    conversation_id,
    conversation_date,
    count(*) as bot_segment_count  -- Segments of bots.
from named_segments
where is_bot
group by account_id, conversation_id, conversation_date
