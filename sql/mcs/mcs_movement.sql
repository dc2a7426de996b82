-- Change of the Meaningful Connection Score within a conversation.
-- Grain:   one row per conversation with a message that has a score.
-- Counts:  messages with a score, scored_count of them, in the order of the transcript.
-- Units:   points of the source's scale. mcs_change = last - first; 0 where there is one score only.
-- Source:  mcs of Message; the vendor scores each message when it is sent. The measure is ours.

select
    account_id,
    conversation_id,
    date,
    count(*) as scored_count,  -- Messages with a score.
    min_by(mcs, position) as mcs_first,  -- First score.
    max_by(mcs, position) as mcs_last,  -- Last score.
    mcs_last - mcs_first as mcs_change,  -- mcs_last - mcs_first.
    min(mcs) as mcs_min,  -- Lowest score.
    max(mcs) as mcs_max  -- Highest score.
from messages
where mcs is not null
group by account_id, conversation_id, date
