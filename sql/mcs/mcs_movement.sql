-- How the Meaningful Connection Score moved within a conversation.
-- Grain:   one row per conversation with a message that has a score.
-- Counts:  messages with a score, scored_count of them, in the order of the transcript.
-- Units:   points of the source's scale. mcs_change = last - first; 0 where there is one score only.
-- Source:  mcs of Message; the vendor scores each message when it is sent. The measure is ours.

select
    account_id,
    conversation_id,
    date,
    count(*) as scored_count,
    min_by(mcs, position) as mcs_first,
    max_by(mcs, position) as mcs_last,
    mcs_last - mcs_first as mcs_change,
    min(mcs) as mcs_min,
    max(mcs) as mcs_max
from messages
where mcs is not null
group by account_id, conversation_id, date
