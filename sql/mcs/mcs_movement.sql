-- Change of the Meaningful Connection Score of the visitor's lines within a conversation.
-- Grain:   one row per conversation with a visitor line that has a score.
-- Counts:  visitor lines with a score, scored_line_count of them, in the order of the transcript. is_bot: a bot had the
--          conversation last; lines to a bot before a person count, too.
-- Units:   points of the source's scale. mcs_change = last - first; 0 where there is one score only.
-- Source:  mcs of Message, through named_conversations; the vendor scores each message when it is sent. The measure is
--          ours.

select
    account_id,
    conversation_id,
    date,
    type,
    scored_line_count,
    mcs_first,
    mcs_last,
    mcs_change,
    is_bot
from named_conversations
where scored_line_count > 0
